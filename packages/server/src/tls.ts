/** The certificate that the server shows, read and looked at before anything is listened on. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Config, ConfigError } from "./config.ts";
import type { Tls } from "./gateway/http.ts";

/**
 * `undefined` when TLS is off.
 * @throws {ConfigError} if one of the two files is missing, not readable or not PEM, or they do not belong together.
 */
export function readTls({ tlsCert, tlsKey }: Pick<Config, "tlsCert" | "tlsKey">): Tls | undefined {
  if (tlsCert === "" && tlsKey === "") return undefined;
  if (tlsCert === "" || tlsKey === "") throw new ConfigError("--tls-cert and --tls-key belong together");
  const cert = readPem("--tls-cert", tlsCert, (text) => new X509Certificate(text));
  const key = readPem("--tls-key", tlsKey, createPrivateKey);
  if (!cert.parsed.checkPrivateKey(key.parsed)) {
    throw new ConfigError(`--tls-key ${JSON.stringify(tlsKey)}: not the key of the certificate`);
  }
  return { cert: cert.text, key: key.text };
}

function readPem<Parsed>(flag: string, path: string, parse: (text: string) => Parsed) {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`${flag} ${JSON.stringify(path)}: ${reasonOf(error)}`);
  }
  try {
    return { text, parsed: parse(text) };
  } catch {
    throw new ConfigError(`${flag} ${JSON.stringify(path)}: not a PEM file of this kind`);
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === "ENOENT") return "there is no such file";
  return code === "EACCES" ? "it may not be read" : String(error);
}
