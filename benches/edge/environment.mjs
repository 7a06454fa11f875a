// The hardware and the versions of a measurement, for the header of its report.

import { createRequire } from "node:module";
import { cpus } from "node:os";
import { projectPath } from "./workers.mjs";

/**
 * Returns the version of an installed npm package.
 *
 * @param {string} name
 * @returns {string}
 */
export const packageVersion = (name) => createRequire(import.meta.url)(`${projectPath("node_modules")}/${name}/package.json`).version;

/** Describes the CPUs, Node and workerd. */
export const describeEnvironment = () =>
  `${cpus().length} × ${cpus()[0].model}, Node ${process.version}, workerd ${packageVersion("workerd")}`;
