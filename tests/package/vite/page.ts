import { createGate } from "entgate";
import { show } from "./show";

if (location.search === "?slim") import("./slim").then(({ open }) => open().then(show));
else if (location.search === "?react") import("./react").then(({ open }) => open());
else show(createGate(given));
