import { createGate } from "entgate";
import { renderGate } from "./render";

if (location.search === "?slim") import("./slim").then(({ openGate }) => openGate().then(renderGate));
else if (location.search === "?react") import("./react").then(({ renderApp }) => renderApp());
else renderGate(createGate(testOptions));
