import {
  readYamlFile,
  type YamlFile,
  type YamlForm,
  type YamlPath,
} from "../platform/yaml-file.ts";
import {
  templateFileSchema,
  type TemplateFile,
  type TemplateParameter,
} from "../protocol/template-file.ts";
import { CattlegridError } from "../errors/error.ts";
import { POLICY_PRESETS } from "../egress/policy/policy.ts";
import { readAllowText, readDenyText, type Reading } from "../egress/policy/rule-text.ts";
import { findReferences } from "./interpolation.ts";
import { readValue } from "./parameters.ts";
import { refusePattern } from "./pattern.ts";

const FORM: YamlForm<typeof templateFileSchema> = {
  schema: templateFileSchema,
  code: "TEMPLATE_INVALID",
  kind: "a template",
  noAliases: "Write the value out in each place.",
  ifEmpty: "Write at least `version: 1`.",
  contents: "See docs/templates.md for what a template holds.",
};

/**
 * Reads the text of a template file, and checks what is its own. Throws TEMPLATE_INVALID with file, line, column and the
 * fix.
 */
export function readTemplateFile(file: { path: string; text: string }): YamlFile<TemplateFile> {
  const read = readYamlFile(file, FORM);
  for (const [name, parameter] of Object.entries(read.value.parameters ?? {})) {
    checkParameter(read, name, parameter);
  }
  checkContents(read, "files");
  checkContents(read, "steering");
  checkPaths(read);
  checkRules(read);
  return read;
}

/** What a parameter is when nobody answers has to be an answer. */
function checkParameter(
  file: YamlFile<TemplateFile>,
  name: string,
  parameter: TemplateParameter,
): void {
  const at: YamlPath = ["parameters", name];
  if (parameter.type === "string" && parameter.pattern !== undefined) {
    const why = refusePattern(parameter.pattern);
    const fix = "Write a regular expression of JavaScript.";
    if (why !== undefined) throw file.failAt([...at, "pattern"], { problem: why, fix });
  }
  if (parameter.default === undefined) return;
  try {
    readValue(name, parameter, parameter.default);
  } catch (error) {
    if (!CattlegridError.is(error, "PARAMETER_INVALID")) throw error;
    throw file.failAt([...at, "default"], { problem: error.message, fix: error.hint });
  }
}

/** A file is given here or beside the template, and not both. */
function checkContents(file: YamlFile<TemplateFile>, list: "files" | "steering"): void {
  for (const [index, { content, from }] of (file.value[list] ?? []).entries()) {
    if ((content === undefined) !== (from === undefined)) continue;
    const problem = `${list}.${index}: it needs exactly one of content and from`;
    const fix =
      "Write the text as `content: |`, or name a file beside the template as `from: FILE`.";
    throw file.failAt([list, index], { problem, fix });
  }
}

function checkPaths(file: YamlFile<TemplateFile>): void {
  for (const list of ["files", "repositories"] as const) {
    for (const [index, { path }] of (file.value[list] ?? []).entries()) {
      if (isBelow(path)) continue;
      const problem = `${list}.${index}.path: ${path} leads out of the home directory`;
      const fix = "Name a path below the home directory, such as .config/tool.toml.";
      throw file.failAt([list, index, "path"], { problem, fix });
    }
  }
}

/** A rule that a parameter is part of is known when the parameter has a value. */
function checkRules(file: YamlFile<TemplateFile>): void {
  const { allow = [], deny = [], preset } = file.value.policy ?? {};
  if (preset !== undefined && !POLICY_PRESETS.some((each) => each === preset)) {
    const problem = `policy.preset: there is no preset ${preset}`;
    throw file.failAt(["policy", "preset"], { problem, fix: `Use ${POLICY_PRESETS.join(", ")}.` });
  }
  const judge = (
    list: string,
    texts: readonly string[],
    read: (text: string) => Reading<unknown>,
  ) => {
    for (const [index, text] of texts.entries()) {
      const reading = findReferences(text).length > 0 ? undefined : read(text);
      if (reading?.ok === false) throw file.failAt(["policy", list, index], reading);
    }
  };
  judge("allow", allow, (text) => readAllowText(text, "template"));
  judge("deny", deny, (text) => readDenyText(text, "template"));
}

/** Whether a path, taken from a directory, stays in it. */
export function isBelow(path: string): boolean {
  const steps = path.split("/");
  return (
    !path.startsWith("/") &&
    !path.includes("\0") &&
    steps.every((step) => step !== "..") &&
    /[^./]/.test(path)
  );
}
