import { readFileSync } from "node:fs";

/** The version of this program, from the package it was installed with. */
export function readProgramVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return String((JSON.parse(text) as { version?: unknown }).version);
}
