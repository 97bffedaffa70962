/** How the server is reached, and whom it tells. */
import { z } from "zod";
import { isNetwork } from "../gateway/client-address.ts";
import { isHostPattern } from "../gateway/notifiers/endpoints.ts";
import { list, option, text } from "./option.ts";

const isFile = text((value) => value === "" || value.length < 4_096);

export const networkOptions = {
  "tls-cert": option({
    schema: isFile,
    expects: "a PEM file",
    placeholder: "FILE",
    about: "certificate chain for https and wss; with --tls-key",
    initial: "",
    shown: "off",
  }),
  "tls-key": option({
    schema: isFile,
    expects: "a PEM file",
    placeholder: "FILE",
    about: "the certificate's private key",
    initial: "",
    shown: "off",
  }),
  "trusted-proxies": option({
    schema: list.refine((networks) => networks.every(isNetwork)),
    expects: "addresses such as 127.0.0.1 or 10.0.0.0/8, separated by commas",
    placeholder: "ADDRESSES",
    about: "proxies whose X-Forwarded-For is believed",
    initial: "",
    shown: "none",
  }),
  metrics: option({
    schema: z.enum(["open", "key", "off"]),
    expects: "open, key or off",
    placeholder: "open|key|off",
    about: "who may read /metrics: everybody, the admin key, nobody",
    initial: "open",
  }),
  "webhook-url": option({
    schema: text((value) => value === "" || /^https?:$/.test(URL.parse(value)?.protocol ?? "")),
    expects: "an http or https address",
    placeholder: "URL",
    about: "where events are posted to",
    initial: "",
    shown: "off",
    // It may hold a password, or a path that is one.
    isSecret: true,
  }),
  "webhook-events": option({
    schema: list.pipe(
      z.array(z.enum(["connected", "disconnected", "publication", "device_offline", "receipts"])),
    ),
    expects: "of connected, disconnected, publication, device_offline and receipts, separated by commas",
    placeholder: "EVENTS",
    about: "which events are posted; receipts is one more",
    initial: "connected,disconnected,publication,device_offline",
  }),
  "webhook-secret": option({
    schema: text((value) => value === "" || /^[\x21-\x7e]{16,200}$/.test(value)),
    expects: "16 to 200 printable characters without spaces",
    placeholder: "SECRET",
    about: "signs what is posted; needed with --webhook-url",
    initial: "",
    shown: "none",
    isSecret: true,
  }),
  "push-contact": option({
    schema: text((value) => value === "" || /^(?:mailto:[^\s@]+@[^\s@]+|https:\/\/\S+)$/.test(value)),
    expects: "an address such as mailto:ops@example.com or https://example.com",
    placeholder: "ADDRESS",
    about: "told to push services, whose operators may have to reach you; Apple's takes nothing without",
    initial: "",
    shown: "none",
  }),
  "push-services": option({
    schema: list.refine((hosts) => hosts.every(isHostPattern)),
    expects: "hosts such as push.lab:8080 or *.lab, separated by commas",
    placeholder: "HOSTS",
    about: "push services on private addresses or without https that may be posted to",
    initial: "",
    shown: "none",
  }),
};
