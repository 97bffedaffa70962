/** What can be found out about this machine and a data directory on it. */
import { readFileSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { machineTimeZone, timestampFormat } from "../../lib/timestamp.ts";
import type { Io } from "../command.ts";
import { inBytes, inThousands } from "../progress.ts";
import { type Finding, failed, good, warning } from "./findings.ts";

/** Besides its clients a server has a few dozen files open. */
const OWN_FILES = 100;
const FEW_FILES = 1_024;
const MANY_FILES = 10_000;
const MB = 1_024 ** 2;
const LEAST_FREE_BYTES = 100 * MB;
const GOOD_FREE_BYTES = 1_024 * MB;
/** At rest it has 8 MB, and after a burst it is cut back to 64 MB. */
const LARGE_LOG_BYTES = 512 * MB;
/** Of statfs(2): file systems on which SQLite's locks cannot be relied on. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "SMB"],
  [0xfe534d42, "SMB"],
]);

export function* examineMachine({ clock }: Pick<Io, "clock">, readLimits = systemLimits): Generator<Finding> {
  yield openFiles(readLimits());
  const zone = machineTimeZone();
  yield good("Time zone", `${zone}, where it is ${timestampFormat(zone)(clock.wallMs())} now`);
}

/** `/proc/self/limits`, where there is one. */
function systemLimits(): string | undefined {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
}

/** The server raises its limit to the hard one. */
function openFiles(limits: string | undefined): Finding {
  const check = "Open files";
  const hard = /^Max open files +\S+ +(\d+|unlimited)/m.exec(limits ?? "")?.[1];
  if (hard === undefined) return warning(check, "the limit cannot be read here", "look with ulimit -Hn");
  const limit = hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
  if (limit === Number.POSITIVE_INFINITY) return good(check, "no limit for what is started here");
  const clients = inThousands(Math.max(0, limit - OWN_FILES));
  const says = `a server that is started here may have ${clients} clients at a time`;
  if (limit >= MANY_FILES) return good(check, says);
  const advice =
    "raise the limit where it is started: LimitNOFILE in systemd, ulimits in compose, /etc/security/limits.conf";
  return limit < FEW_FILES ? failed(check, says, advice) : warning(check, says, advice);
}

/** The data directory of a server, running or not. */
export function* examineData(dir: string): Generator<Finding> {
  const check = "Data directory";
  const directory = statSync(dir, { throwIfNoEntry: false });
  if (directory?.isDirectory() !== true) {
    yield failed(check, `there is no directory ${dir}`, "name the server's by --data");
    return;
  }
  try {
    yield* freeSpace(dir);
    yield* database(dir, directory.mode);
    yield* adminKey(dir);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    yield failed(check, reason, "run this as the user that the server runs as");
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function* freeSpace(dir: string): Generator<Finding> {
  const { bavail, bsize, type } = statfsSync(dir);
  const network = NETWORK_FILE_SYSTEMS.get(type);
  if (network !== undefined) {
    yield failed("Disk", `${dir} is on ${network}, whose locks cannot be relied on`, "use a local disk");
  }
  const free = bavail * bsize;
  const says = `${inBytes(free)} free for ${dir}`;
  const advice =
    "free some, or bound what is kept by --retention; a backup needs as much again while it is made";
  if (free < LEAST_FREE_BYTES) yield failed("Disk space", says, advice);
  else if (free < Math.max(GOOD_FREE_BYTES, sizeOf(join(dir, "carillon.db"))))
    yield warning("Disk space", says, advice);
  else yield good("Disk space", says);
}

function* database(dir: string, directoryMode: number): Generator<Finding> {
  const check = "Database";
  const path = join(dir, "carillon.db");
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) {
    yield warning(
      check,
      `there is none in ${dir}`,
      "none is needed before the first start; else name the server's by --data",
    );
    return;
  }
  const log = sizeOf(`${path}-wal`);
  const says = `${inBytes(file.size)}, and ${inBytes(log)} in its log`;
  if (log > LARGE_LOG_BYTES)
    yield warning(check, says, "look for what keeps it from being written back: a backup, a full disk");
  else yield good(check, says);
  if ((directoryMode & 0o005) !== 0 && (file.mode & 0o004) !== 0) {
    yield warning("Privacy", `every user of this machine can read ${path}`, `chmod o-rwx ${dir}`);
  }
}

function* adminKey(dir: string): Generator<Finding> {
  const path = join(dir, "admin.key");
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined)
    yield good("Admin key", `not kept in ${dir}; the server is given it by --admin-key`);
  else if ((file.mode & 0o077) === 0) yield good("Admin key", "for its owner alone");
  else
    yield failed(
      "Admin key",
      `others can read ${path}`,
      `chmod 600 ${path}, then delete it for a new one if others were there`,
    );
}
