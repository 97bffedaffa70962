/** Which JWTs are believed. */
import { option, text } from "./option.ts";

const anything = text(() => true);

export const accessOptions = {
  "jwt-secret": option({
    schema: text((value) => value === "" || value.length >= 32),
    expects: "a secret of at least 32 characters",
    placeholder: "SECRET",
    about: "believe JWTs that are signed with it by HS256",
    initial: "",
    shown: "off",
    isSecret: true,
  }),
  "jwt-public-key": option({
    schema: anything,
    expects: "a PEM file",
    placeholder: "FILE",
    about: "believe JWTs that are signed with this key's private one by RS256 or ES256",
    initial: "",
    shown: "off",
  }),
  "jwt-jwks": option({
    schema: anything,
    expects: "an https address or a file",
    placeholder: "URL|FILE",
    about: "believe JWTs that are signed with a key of this set",
    initial: "",
    shown: "off",
  }),
  "jwt-audience": option({
    schema: anything,
    expects: "a text",
    placeholder: "AUD",
    about: "what a JWT's aud has to be",
    initial: "",
    shown: "any",
  }),
  "jwt-issuer": option({
    schema: anything,
    expects: "a text",
    placeholder: "ISS",
    about: "what a JWT's iss has to be",
    initial: "",
    shown: "any",
  }),
};
