// What a figure was measured on.

import { createRequire } from "node:module";
import { cpus } from "node:os";
import { root } from "./workers.mjs";

export const version = (name) => createRequire(import.meta.url)(`${root("node_modules")}/${name}/package.json`).version;

export const machine = () => `${cpus().length} × ${cpus()[0].model}, Node ${process.version}, workerd ${version("workerd")}`;
