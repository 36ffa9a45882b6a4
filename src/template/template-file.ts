import {
  examineYamlFile,
  type ExaminedFile,
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

/** Reads the text of a template file as far as it can be read, and finds all that is wrong with what is its own. */
export function examineTemplateFile(text: {
  path: string;
  text: string;
}): ExaminedFile<TemplateFile> {
  const examined = examineYamlFile(text, FORM);
  const { file } = examined;
  if (file === undefined) return examined;
  const parameters = Object.entries(file.value.parameters ?? {});
  const problems = [
    ...examined.problems,
    ...parameters.flatMap(([name, parameter]) => checkParameter(file, name, parameter)),
    ...checkContents(file, "files"),
    ...checkContents(file, "steering"),
    ...checkPaths(file),
    ...checkRules(file),
  ];
  return { ...examined, problems };
}

/** What a parameter is when nobody answers has to be an answer. */
function checkParameter(
  file: YamlFile<TemplateFile>,
  name: string,
  parameter: TemplateParameter,
): CattlegridError[] {
  const at: YamlPath = ["parameters", name];
  if (parameter.type === "string" && parameter.pattern !== undefined) {
    const why = refusePattern(parameter.pattern);
    const fix = "Write a regular expression of JavaScript.";
    if (why !== undefined) return [file.failAt([...at, "pattern"], { problem: why, fix })];
  }
  if (parameter.default === undefined) return [];
  try {
    readValue(name, parameter, parameter.default);
    return [];
  } catch (error) {
    if (!CattlegridError.is(error, "PARAMETER_INVALID")) throw error;
    return [file.failAt([...at, "default"], { problem: error.message, fix: error.hint })];
  }
}

/** A file is given here or beside the template, and not both. */
function checkContents(
  file: YamlFile<TemplateFile>,
  list: "files" | "steering",
): CattlegridError[] {
  return (file.value[list] ?? []).flatMap(({ content, from }, index) => {
    if ((content === undefined) !== (from === undefined)) return [];
    const problem = `${list}.${index}: it needs exactly one of content and from`;
    const fix =
      "Write the text as `content: |`, or name a file beside the template as `from: FILE`.";
    return [file.failAt([list, index], { problem, fix })];
  });
}

function checkPaths(file: YamlFile<TemplateFile>): CattlegridError[] {
  return (["files", "repositories"] as const).flatMap((list) =>
    (file.value[list] ?? []).flatMap(({ path }, index) => {
      if (isBelow(path)) return [];
      const problem = `${list}.${index}.path: ${path} leads out of the home directory`;
      const fix = "Name a path below the home directory, such as .config/tool.toml.";
      return [file.failAt([list, index, "path"], { problem, fix })];
    }),
  );
}

/** A rule that a parameter is part of is known when the parameter has a value. */
function checkRules(file: YamlFile<TemplateFile>): CattlegridError[] {
  const { allow = [], deny = [], preset } = file.value.policy ?? {};
  const found: CattlegridError[] = [];
  if (preset !== undefined && !POLICY_PRESETS.some((each) => each === preset)) {
    const problem = `policy.preset: there is no preset ${preset}`;
    const fix = `Use ${POLICY_PRESETS.join(", ")}.`;
    found.push(file.failAt(["policy", "preset"], { problem, fix }));
  }
  const judge = (
    list: string,
    texts: readonly string[],
    read: (text: string) => Reading<unknown>,
  ) => {
    for (const [index, text] of texts.entries()) {
      const reading = findReferences(text).length > 0 ? undefined : read(text);
      if (reading?.ok === false) found.push(file.failAt(["policy", list, index], reading));
    }
  };
  judge("allow", allow, (text) => readAllowText(text, "template"));
  judge("deny", deny, (text) => readDenyText(text, "template"));
  return found;
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
