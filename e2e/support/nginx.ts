/** A real nginx, configured by `deploy/nginx.conf` itself: only ports and paths are replaced. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { root } from "./carillon.ts";
import { Lines } from "./lines.ts";

export class Nginx implements AsyncDisposable {
  readonly port: number;
  /** Where it keeps its files. */
  readonly dir: string;
  readonly #process: Subprocess<"ignore", "ignore", "pipe">;
  readonly #log: Lines;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.dir = dir;
    const args = ["-c", join(dir, "nginx.conf"), "-p", dir, "-g", "daemon off;"];
    this.#process = Bun.spawn(["/usr/sbin/nginx", ...args], {
      stdout: "ignore",
      stderr: "pipe",
      stdin: "ignore",
    });
    this.#log = new Lines(this.#process.stderr);
  }

  /** Starts one in front of the server at `serverPort`, on a free port unless `port` is given. */
  static async to(serverPort: number, port = freePort()): Promise<Nginx> {
    const dir = await mkdtemp(join(tmpdir(), "carillon-nginx-"));
    // Started by root, its workers are somebody else.
    await chmod(dir, 0o755);
    const example = await Bun.file(join(root, "deploy/nginx.conf")).text();
    await Bun.write(join(dir, "nginx.conf"), placed(example, { port, serverPort, dir }));
    const nginx = new Nginx(port, dir);
    await nginx.#log.line(/start worker process \d/);
    return nginx;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }
  /** Every request that has been answered, a line each. */
  accessLog(): Promise<string> {
    return Bun.file(join(this.dir, "access.log")).text();
  }

  /** What it has said of itself and of errors so far. */
  get errorLog(): string {
    return this.#log.all.join("\n");
  }

  /** Reads the configuration anew; resolves when no old worker takes connections any more. */
  async reload(): Promise<void> {
    const workers = this.#log.all.filter((line) => /start worker process \d/.test(line)).length;
    this.#process.kill("SIGHUP");
    await this.#log.count(/gracefully shutting down/, workers);
  }

  /** Stops at once: every connection breaks. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    await rm(this.dir, { recursive: true });
  }
}

/**
 * The example with ports and paths of this test in place of its own.
 * @throws {Error} if the example does not hold what is to be replaced.
 */
function placed(example: string, at: { port: number; serverPort: number; dir: string }): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const replacements: readonly (readonly [string, string])[] = [
    ["listen 80;", `listen 127.0.0.1:${at.port};`],
    ["server 127.0.0.1:8080;", `server 127.0.0.1:${at.serverPort};`],
    ["pid /run/nginx.pid;", `pid ${at.dir}/nginx.pid;`],
    ["error_log /var/log/nginx/error.log warn;", "error_log stderr notice;"],
    ["/var/log/nginx/error.log", "stderr"],
    ["/var/log/nginx/carillon.log", `${at.dir}/access.log`],
    [
      "\nhttp {\n",
      `\nhttp {\n${temporary.map((name) => `${name}_temp_path ${at.dir}/${name};`).join("\n")}\n`,
    ],
  ];
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`deploy/nginx.conf has no ${JSON.stringify(from)}`);
    return text.replaceAll(from, to);
  }, example);
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop();
  return port;
}
