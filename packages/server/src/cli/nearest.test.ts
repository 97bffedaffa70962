import { expect, test } from "bun:test";
import { nearest } from "./nearest.ts";

const words = ["serve", "listen", "push", "tokens", "backup", "restore", "doctor"];

test.each([
  ["pusj", "push"],
  ["psuh", "push"],
  ["puch", "push"],
  ["serv", "serve"],
  ["token", "tokens"],
  ["resotre", "restore"],
  ["dokter", "doctor"],
  ["push", "push"],
])("%s was meant to be %s", (typed, meant) => {
  expect(nearest(typed, words)).toBe(meant);
});

test.each(["", "dance", "xyz", "pull"])("%j is near nothing", (typed) => {
  expect(nearest(typed, words)).toBeUndefined();
});
