/** The receiver's half of RFC 8291, written from the RFC on node:crypto: what is tested is not used to test it. */
import { createDecipheriv, createECDH, hkdfSync } from "node:crypto";
import type { PushKeys } from "../../../hub/devices/device.ts";

export class Subscriber {
  readonly keys: PushKeys;
  readonly #ecdh = createECDH("prime256v1");
  readonly #auth: Buffer;

  /** With new keys, or those of an example. */
  constructor(given?: { readonly privateKey: string; readonly auth: string }) {
    if (given === undefined) this.#ecdh.generateKeys();
    else this.#ecdh.setPrivateKey(Buffer.from(given.privateKey, "base64url"));
    this.#auth =
      given === undefined
        ? Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
        : Buffer.from(given.auth, "base64url");
    this.keys = {
      p256dh: this.#ecdh.getPublicKey().toString("base64url"),
      auth: this.#auth.toString("base64url"),
    };
  }

  /** @throws {Error} if it is no message of one record for these keys. */
  decrypt(body: Buffer): string {
    // RFC 8188 section 2.1: salt, record size, length of the key's id, the key's id.
    const salt = body.subarray(0, 16);
    const recordSize = body.readUInt32BE(16);
    const keyLength = body.readUInt8(20);
    if (keyLength !== 65) throw new Error(`the key has ${keyLength} bytes`);
    const senderKey = body.subarray(21, 86);
    const record = body.subarray(86);
    if (record.length > recordSize) throw new Error("more than one record");
    // RFC 8291 section 3.4.
    const keyInfo = Buffer.concat([Buffer.from("WebPush: info\0"), this.#ecdh.getPublicKey(), senderKey]);
    const ikm = derive(this.#ecdh.computeSecret(senderKey), this.#auth, keyInfo, 32);
    const key = derive(ikm, salt, Buffer.from("Content-Encoding: aes128gcm\0"), 16);
    const nonce = derive(ikm, salt, Buffer.from("Content-Encoding: nonce\0"), 12);
    const decipher = createDecipheriv("aes-128-gcm", key, nonce);
    decipher.setAuthTag(record.subarray(-16));
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
    const end = padded.findLastIndex((byte) => byte !== 0);
    if (padded[end] !== 2) throw new Error("not the last record");
    return new TextDecoder("utf-8", { fatal: true }).decode(padded.subarray(0, end));
  }
}

function derive(secret: Buffer, salt: Buffer, info: Buffer, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, info, length));
}
