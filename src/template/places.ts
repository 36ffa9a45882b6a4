import { lstat, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { TEMPLATE_NAME } from "../protocol/template-file.ts";
import type { TemplateOrigin } from "../protocol/template.ts";

import { TEMPLATE_FILE } from "../platform/state-directory.ts";

export { TEMPLATE_FILE };
const PROJECT_DIRECTORY = ".cattlegrid";
/** What the template of the workspace is called, and no other. */
export const PROJECT_TEMPLATE = "project";

/** Where directories NAME with a template each lie. The earlier counts. */
export type TemplateDirectories = readonly { origin: TemplateOrigin; path: string }[];

/** A template's directory, before anything of it is read. */
export interface TemplatePlace {
  name: string;
  origin: TemplateOrigin;
  /** Real path: everything that belongs to the template lies below. */
  directory: string;
  /** In it; default: `cattlegrid.template.yaml`. */
  file?: string;
}

/** Undefined when there is none of that name. */
export async function findPlace(
  directories: TemplateDirectories,
  name: string,
): Promise<TemplatePlace | undefined> {
  if (!TEMPLATE_NAME.test(name) || name === PROJECT_TEMPLATE) return undefined;
  for (const { origin, path } of directories) {
    const place = await placeAt(join(path, name), { name, origin });
    if (place !== undefined) return place;
  }
  return undefined;
}

/** All there are, in the order of the origins and then of their names; those that another one covers, too. */
export async function listPlaces(
  directories: TemplateDirectories,
): Promise<readonly TemplatePlace[]> {
  const places: TemplatePlace[] = [];
  for (const { origin, path } of directories) {
    const names = (await readNames(path)).filter((name) => TEMPLATE_NAME.test(name));
    for (const name of names.toSorted()) {
      const place = await placeAt(join(path, name), { name, origin });
      if (place !== undefined) places.push(place);
    }
  }
  return places;
}

/** SECURITY: what is a link on the way may lead anywhere, so that the project's own directory has to be one. */
export async function findProjectPlace(workspace: string): Promise<TemplatePlace | undefined> {
  const directory = join(workspace, PROJECT_DIRECTORY);
  const found = await lstat(directory).catch(absent);
  if (found?.isDirectory() !== true) return undefined;
  if ((await lstat(join(directory, TEMPLATE_FILE)).catch(absent)) === undefined) return undefined;
  return { name: PROJECT_TEMPLATE, origin: "project", directory };
}

/** Of a file that need not lie where templates are found, or of the directory that it lies in. */
export async function placeOf(path: string): Promise<TemplatePlace> {
  const found = await lstat(path).catch(absent);
  if (found === undefined) {
    throw new CattlegridError("TEMPLATE_UNKNOWN", `There is no file ${path}.`);
  }
  const [directory, file] = found.isDirectory()
    ? [path, TEMPLATE_FILE]
    : [dirname(path), basename(path)];
  return { name: basename(directory), origin: "user", directory: await realpath(directory), file };
}

async function placeAt(
  path: string,
  named: Pick<TemplatePlace, "name" | "origin">,
): Promise<TemplatePlace | undefined> {
  const file = await lstat(join(path, TEMPLATE_FILE)).catch(absent);
  return file === undefined ? undefined : { ...named, directory: await realpath(path) };
}

async function readNames(directory: string): Promise<readonly string[]> {
  return (await readdir(directory).catch(absent)) ?? [];
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw new CattlegridError("TEMPLATE_INVALID", `A template cannot be read: ${error.message}.`, {
    hint: "Make the directory readable for you.",
    cause: error,
  });
}
