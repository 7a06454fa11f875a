// A PostgreSQL server of a test: its data is in a temporary folder, and it listens on a socket there.
//
// The programs are those of Debian's package `postgresql`, or those in PATH. PostgreSQL refuses to run as root, so that
// root starts it as the user `nobody`.

import { execFile, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "../worker/support.mjs";

/** Where Debian installs the programs of each version. */
const DEBIAN = "/usr/lib/postgresql";

/** The path of a program, of the newest version if Debian installed several. @param {string} name */
function program(name) {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(DEBIAN, version, "bin", name)).find((path) => existsSync(path)) ?? name;
}

/** The user that runs the server: this one, or `nobody` for root. */
function serverUser() {
  if (process.getuid?.() !== 0) return {};
  const id = (option) => Number(execFileSync("id", [option, "nobody"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Starts a server. `connectionString` names its database; `stop` ends it and deletes the data. */
export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), "entgate-postgres-"));
  const user = serverUser();
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const options = { ...user, cwd: folder };
  // Without fsync: the data does not outlive the test.
  await promisify(execFile)(
    program("initdb"),
    ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--pgdata", data],
    options,
  );
  const settings = ["-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"];
  const server = spawn(program("postgres"), ["-D", data, ...settings], { ...options, stdio: ["ignore", "ignore", "pipe"] });
  /** @type {Buffer[]} */
  const log = [];
  server.stderr.on("data", (chunk) => log.push(chunk));
  const exited = new Promise((resolve) => server.once("exit", resolve));
  const isReady = () => promisify(execFile)(program("pg_isready"), ["-q", "-h", folder, "-U", "postgres", "-d", "postgres"], options);
  try {
    await eventually(isReady, 60_000);
  } catch {
    server.kill();
    throw new Error(`PostgreSQL did not start\n${Buffer.concat(log)}`);
  }
  return {
    connectionString: `postgres://postgres@/postgres?host=${encodeURIComponent(folder)}`,
    async stop() {
      // SIGINT: a fast shutdown, which ends open connections.
      server.kill("SIGINT");
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}
