import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The version of this program, from the package it was installed with. */
export function readProgramVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return String((JSON.parse(text) as { version?: unknown }).version);
}

/** A directory that is part of the package this program was installed with. */
export function locatePackageDirectory(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}
