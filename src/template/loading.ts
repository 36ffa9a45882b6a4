import { join } from "node:path";
import { readPolicyFile } from "../egress/policy/policy-file.ts";
import { CattlegridError } from "../errors/error.ts";
import { joinProblems } from "../platform/joined-problems.ts";
import { findNearest } from "../platform/nearest-name.ts";
import { openPlainFile } from "../platform/plain-file.ts";
import type { YamlFile, YamlPath } from "../platform/yaml-file.ts";
import type { TemplateFile } from "../protocol/template-file.ts";
import type { LoadedTemplate, TemplateContent } from "./content.ts";
import { digestData } from "./digest.ts";
import { mergeContents } from "./merge.ts";
import {
  findPlace,
  listPlaces,
  TEMPLATE_FILE,
  type TemplateDirectories,
  type TemplatePlace,
} from "./places.ts";
import { FILE_BYTES_MAX, NamedFiles, type Problems } from "./named-files.ts";
import { checkReferences, isExecutable, type ReferenceSite } from "./references.ts";
import { examineTemplateFile } from "./template-file.ts";

/** A template is kept with every sandbox that is made from it. */
const CONTENT_CHARACTERS_MAX = 1024 * 1024;
const GENERATIONS_MAX = 8;

/** One file of a chain, with what it names. */
interface Generation {
  place: TemplatePlace;
  path: string;
  text: string;
  file: YamlFile<TemplateFile>;
  content: TemplateContent;
  /** References in the texts of files that it names. */
  named: readonly ReferenceSite[];
  /** Whether some of what it says of parameters, or of its parent, could not be read. */
  isInPart: boolean;
}

/**
 * Reads a template and its parents whole, or throws TEMPLATE_INVALID with file, line, column and the fix; with each of them,
 * where more is wrong. `agents` are the ids of those there are; absent: whatever is named.
 */
export async function loadTemplate(
  directories: TemplateDirectories,
  place: TemplatePlace,
  agents?: readonly string[],
): Promise<LoadedTemplate> {
  const problems: Problems = [];
  const chain = await readChain(directories, place, problems);
  const content = chain
    .map((generation) => generation.content)
    .reduceRight((parent, child) => mergeContents(parent, child));
  // What could not be read may be what a reference leads to.
  if (!chain.some(({ isInPart }) => isInPart)) {
    const declared = content.parameters ?? {};
    problems.push(...chain.flatMap(({ file, named }) => checkReferences(file, declared, named)));
  }
  if (agents !== undefined) {
    problems.push(...chain.flatMap(({ file }) => checkAgents(file, agents)));
  }
  if (problems.length > 0) throw joinProblems(problems);
  if (JSON.stringify(content).length > CONTENT_CHARACTERS_MAX) {
    const message = `The template ${place.name} is larger than 1 MiB with all its files.`;
    throw new CattlegridError("TEMPLATE_INVALID", message, {
      hint: "Fetch what is large in a setup step, or from a repository.",
    });
  }
  const { name, origin } = place;
  return {
    name,
    origin,
    paths: chain.map(({ path }) => path),
    digest: digestData(content),
    content,
    texts: chain.map(({ path, text }) => ({ path, text })),
  };
}

/** The template itself first, then its parent, and so on. */
async function readChain(
  directories: TemplateDirectories,
  place: TemplatePlace,
  problems: Problems,
): Promise<readonly Generation[]> {
  const chain = [await readGeneration(place, problems)];
  for (let child = chain[0]; child?.file.value.extends !== undefined; child = chain.at(-1)) {
    const { extends: parentName } = child.file.value;
    const parent = await findPlace(directories, parentName);
    if (parent === undefined) {
      problems.push(await unknownParent(directories, child, parentName));
      child.isInPart = true;
      return chain;
    }
    const isCycle = chain.some(({ place: { directory } }) => directory === parent.directory);
    if (isCycle || chain.length >= GENERATIONS_MAX) {
      const names = [...chain.map((each) => each.place.name), parentName].join(" → ");
      const problem = isCycle
        ? `extends: ${names} is a circle`
        : `extends: ${names} are more than ${GENERATIONS_MAX} templates`;
      const fix = "Begin with another template, or with none.";
      problems.push(child.file.failAt(["extends"], { problem, fix }));
      child.isInPart = true;
      return chain;
    }
    chain.push(await readGeneration(parent, problems));
  }
  return chain;
}

async function unknownParent(
  directories: TemplateDirectories,
  { file }: Generation,
  name: string,
): Promise<CattlegridError> {
  const names = (await listPlaces(directories)).map((place) => place.name);
  const nearest = findNearest(name, names);
  const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return file.failAt(["extends"], {
    problem: `extends: there is no template ${name}${guess}`,
    fix: "`cattlegrid template ls` lists the templates.",
  });
}

/** Throws what is wrong so far where nothing can be made of the file. */
async function readGeneration(place: TemplatePlace, problems: Problems): Promise<Generation> {
  const path = join(place.directory, place.file ?? TEMPLATE_FILE);
  const limits = {
    bytesMax: FILE_BYTES_MAX,
    within: place.directory,
    code: "TEMPLATE_INVALID",
  } as const;
  const text = await openPlainFile(path, limits);
  if (text === undefined) {
    throw new CattlegridError("TEMPLATE_UNKNOWN", `The template ${path} has gone.`);
  }
  const { file, problems: found, omitted } = examineTemplateFile({ path, text });
  problems.push(...found);
  if (file === undefined) throw joinProblems(problems);
  const reader = new NamedFiles(place, file, problems);
  const content = await readContent(reader, file.value);
  const isInPart = omitted.some(([key]) => key === "parameters" || key === "extends");
  return { place, path, text, file, content, named: reader.sites, isInPart };
}

function checkAgents(file: YamlFile<TemplateFile>, known: readonly string[]): CattlegridError[] {
  const { agent, agents = {} } = file.value;
  const named: [YamlPath, string][] = Object.keys(agents).map((id) => [["agents", id], id]);
  if (agent !== undefined) named.unshift([["agent"], agent]);
  const unknown = named.filter(([, id]) => !known.includes(id));
  return unknown.map(([at, id]) => {
    const nearest = findNearest(id, known);
    const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
    const problem = `${at.join(".")}: there is no agent ${id}${guess}`;
    return file.failAt(at, { problem, fix: `There are ${known.join(", ")}.` });
  });
}

async function readContent(
  reader: NamedFiles,
  { version: _version, extends: _extends, ...said }: TemplateFile,
): Promise<TemplateContent> {
  const { files, steering, setup, policy, base, ...rest } = said;
  const content: TemplateContent = { ...rest };
  if (base !== undefined) content.base = reader.locateBase(base);
  if (files !== undefined) {
    content.files = await inOrder(files, async ({ from, content: text, ...entry }, index) => {
      const isProgram = entry.mode !== undefined && isExecutable(entry.mode);
      const read = { at: ["files", index, "from"], from, isProgram };
      return { ...entry, content: text ?? (await reader.readText(read)) ?? "" };
    });
  }
  if (steering !== undefined) {
    content.steering = await inOrder(steering, async ({ from, content: text, ...entry }, index) => {
      const read = { at: ["steering", index, "from"], from, isProgram: false };
      return { ...entry, content: text ?? (await reader.readText(read)) ?? "" };
    });
  }
  if (setup !== undefined) {
    content.setup = await inOrder(setup, async ({ inputs, ...step }, index) => {
      if (inputs === undefined) return step;
      return { ...step, inputs: await reader.digestInputs(["setup", index, "inputs"], inputs) };
    });
  }
  if (policy !== undefined) content.policy = await readPolicy(reader, policy);
  return content;
}

async function readPolicy(
  reader: NamedFiles,
  { ceiling, ...policy }: NonNullable<TemplateFile["policy"]>,
): Promise<NonNullable<TemplateContent["policy"]>> {
  if (ceiling === undefined) return policy;
  const at = ["policy", "ceiling"];
  const text = await reader.readText({ at, from: ceiling, isConstant: true });
  if (text === undefined) return policy;
  const file = { path: reader.locate(ceiling), text };
  // Nothing would leave a sandbox under one that cannot be read.
  reader.attempt(() => readPolicyFile(file, "template"));
  return { ...policy, ceilings: [file] };
}

async function inOrder<T, U>(
  list: readonly T[],
  read: (each: T, index: number) => Promise<U>,
): Promise<U[]> {
  const results: U[] = [];
  for (const [index, each] of list.entries()) results.push(await read(each, index));
  return results;
}
