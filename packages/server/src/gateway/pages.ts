/** The pages the server carries: bundled from their sources once, at start or into the executable, and served from memory. */
import { fileURLToPath } from "node:url";

interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers a GET or HEAD for a page or one of its files; `undefined` when there is none at `path`. */
export type ServePages = (request: Request, path: string) => Response | undefined;

/** The page runs its own bundled script and style, talks to WebSockets, and can do nothing else. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self' ws: wss:",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Bundled files carry a hash of their content in their name. */
const FOREVER = "public, max-age=31536000, immutable";
/** The page itself; and its service worker, whose address browsers remember. */
const ASKED_AGAIN: readonly string[] = ["/", "/sw.js"];

/** A file of a page, as the bundler made it. */
export interface PageFile {
  /** Where it is served: `/` or `/main-1a2b3c.js`. */
  readonly path: string;
  readonly type: string;
  readonly base64: string;
}

/** The bundled files inside a single executable, which has no sources to bundle; `tools/build-binary.ts` puts them in. */
declare const CARILLON_PAGES: readonly PageFile[] | undefined;

/**
 * Makes the app page ready to be served.
 * @throws {AggregateError} if the sources do not compile.
 */
export async function bundlePages(): Promise<ServePages> {
  const files = typeof CARILLON_PAGES === "undefined" ? await bundlePageFiles() : CARILLON_PAGES;
  const assets = new Map(files.map((file) => [file.path, readAsset(file)]));
  return (request, path) => {
    const asset = assets.get(path);
    return asset === undefined ? undefined : serve(request, asset);
  };
}

/**
 * Bundles the app page and its service worker from their sources.
 * @throws {AggregateError} if they do not compile.
 */
export async function bundlePageFiles(): Promise<readonly PageFile[]> {
  const page = await bundle("./pages/app/index.html", {
    chunk: "[name]-[hash].[ext]",
    asset: "[name]-[hash].[ext]",
  });
  const worker = await bundle("./pages/worker/sw.ts", { entry: "[name].[ext]" });
  return Promise.all(
    [...page, ...worker].map(async (output) => ({
      path: output.path.endsWith(".html") ? "/" : `/${output.path.replace(/^\.?\//, "")}`,
      type: output.type,
      base64: Buffer.from(await output.arrayBuffer()).toString("base64"),
    })),
  );
}

async function bundle(entry: string, naming: { chunk: string; asset: string } | { entry: string }) {
  const { outputs } = await Bun.build({
    entrypoints: [fileURLToPath(new URL(entry, import.meta.url))],
    target: "browser",
    minify: true,
    publicPath: "/",
    naming,
  });
  return outputs;
}

function readAsset({ path, type, base64 }: PageFile): Asset {
  const body = new Uint8Array(Buffer.from(base64, "base64"));
  return {
    body,
    gzip: Bun.gzipSync(body),
    etag: `"${Bun.hash(body).toString(36)}"`,
    headers: {
      "content-type": type,
      "cache-control": ASKED_AGAIN.includes(path) ? "no-cache" : FOREVER,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": CONTENT_SECURITY_POLICY,
      vary: "accept-encoding",
    },
  };
}

function serve(request: Request, asset: Asset): Response {
  const headers: Record<string, string> = { ...asset.headers, etag: asset.etag };
  if (request.headers.get("if-none-match") === asset.etag)
    return new Response(null, { status: 304, headers });
  const zipped = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  if (zipped) headers["content-encoding"] = "gzip";
  return new Response(zipped ? asset.gzip : asset.body, { headers });
}
