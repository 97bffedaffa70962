/**
 * Finds the Bun binary that npm installed, whatever the install-script policy was.
 *
 * With scripts allowed, Bun's postinstall moves the real binary to `bun/bin/bun.exe` (on every
 * platform). Without (`--ignore-scripts`, a strict allow-list), that file is a stub of a few hundred
 * bytes and the binary stays in the platform package `@oven/bun-<platform>-<arch>/bin`.
 */
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The stub is under 1 KB, the binary about 100 MB; anything in between is neither. */
const SMALLEST_BINARY_BYTES = 1_000_000;

const isBinary = (path) => existsSync(path) && statSync(path).size > SMALLEST_BINARY_BYTES;

/** The platform packages that could hold the binary, best first. */
export function platformPackages(platform = process.platform, arch = process.arch) {
  const cpu = arch === "arm64" ? "aarch64" : arch;
  const os = platform === "win32" ? "windows" : platform;
  const name = `@oven/bun-${os}-${cpu}`;
  return os === "linux" ? [name, `${name}-musl`] : [name];
}

/**
 * The absolute path of the Bun binary.
 * @throws {Error} with one line for people, when no binary is installed for this platform.
 */
export function findBun() {
  const here = createRequire(import.meta.url);
  const bunDir = dirname(here.resolve("bun/package.json"));
  const candidates = [join(bunDir, "bin", "bun.exe"), join(bunDir, "bin", "bun")];
  const fromBun = createRequire(join(bunDir, "package.json"));
  for (const name of platformPackages()) {
    try {
      const dir = dirname(fromBun.resolve(`${name}/package.json`));
      candidates.push(join(dir, "bin", "bun"), join(dir, "bin", "bun.exe"));
    } catch {
      // Not installed: npm picks the packages that fit this machine only.
    }
  }
  const found = candidates.find(isBinary);
  if (found === undefined) {
    throw new Error(
      `no Bun binary for ${process.platform}-${process.arch}: run "npm install" without --omit=optional`,
    );
  }
  return found;
}
