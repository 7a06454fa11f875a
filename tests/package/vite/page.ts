import { createGate } from "entgate";
import { show } from "./show";

if (location.search === "?slim") import("./slim").then(({ open }) => open().then(show));
else show(createGate(given));
