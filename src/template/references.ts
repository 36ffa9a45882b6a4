import type { YamlFile, YamlPath, YamlProblem } from "../platform/yaml-file.ts";
import type { CattlegridError } from "../errors/error.ts";
import { findNearest } from "../platform/nearest-name.ts";
import type { TemplateFile } from "../protocol/template-file.ts";
import { findReferences, wholeReference } from "./interpolation.ts";
import type { Parameters } from "./parameters.ts";

/** Where a value may stand, `*` for any one step; a value below such a place may stand too. */
const OPEN: readonly string[] = [
  "environment",
  "secrets",
  "policy.allow",
  "policy.deny",
  "files.*.path",
  "files.*.content",
  "steering.*.content",
  "mcpServers",
  "repositories.*.url",
  "repositories.*.ref",
  "repositories.*.path",
  "setup.*.environment",
  "limits",
  "lifetime",
  "workspace.modes",
  "agents.*.version",
  "agents.*.model",
  "agents.*.prompt",
  "agents.*.subagents.*.prompt",
  "agents.*.subagents.*.model",
  "identity.profile",
];
/** Where the value of a parameter that names a secret becomes a binding. */
const SECRET_PLACES: readonly string[] = ["environment.*", "secrets.*"];

/** What of a template a parameter's name stands in. */
export interface ReferenceSite {
  path: YamlPath;
  text: string;
  /** A file that is run as a program may not be made of what somebody answers. */
  isProgram: boolean;
}

/** Every reference that leads nowhere, or stands where none may. */
export function checkReferences(
  file: YamlFile<TemplateFile>,
  parameters: Parameters,
  named: readonly ReferenceSite[],
): CattlegridError[] {
  const own = listTexts(file.value, []).map((each) => ({
    ...each,
    isProgram: isProgramText(file.value, each.path),
  }));
  const problems = [...own, ...named].flatMap((site) =>
    findReferences(site.text).flatMap((name) => {
      const found = judge(site, name, parameters);
      return found === undefined ? [] : [file.failAt(site.path, found)];
    }),
  );
  return [...problems, ...checkConditions(file, parameters)];
}

function judge(site: ReferenceSite, name: string, parameters: Parameters): YamlProblem | undefined {
  const { path, text, isProgram } = site;
  const shown = path.join(".");
  const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  if (parameter === undefined) return unknownParameter(shown, name, parameters);
  if (isProgram || !OPEN.some((place) => matches(place, path))) {
    return {
      problem: `${shown}: no parameter may stand here`,
      fix: `A value is never text of a script; in a setup step it is the variable "$PARAM_${name.toUpperCase()}".`,
    };
  }
  if (parameter.type !== "secret") return undefined;
  const isBinding = SECRET_PLACES.some((place) => matches(place, path, true));
  if (isBinding && wholeReference(text) === name) return undefined;
  return {
    problem: `${shown}: ${name} names a secret, which can be nothing but the whole value of a variable`,
    fix: `Write environment: {VARIABLE: "\${parameters.${name}}"}.`,
  };
}

function checkConditions(file: YamlFile<TemplateFile>, parameters: Parameters): CattlegridError[] {
  return listConditions(file.value, []).flatMap(({ path, when }) => {
    const unknown = Object.keys(when).filter((name) => !Object.hasOwn(parameters, name));
    const shown = [...path, "when"].join(".");
    return unknown.map((name) =>
      file.failAt([...path, "when", name], unknownParameter(shown, name, parameters)),
    );
  });
}

function unknownParameter(shown: string, name: string, parameters: Parameters): YamlProblem {
  const names = Object.keys(parameters);
  const nearest = findNearest(name, names);
  const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return {
    problem: `${shown}: there is no parameter ${name}${guess}`,
    fix: names.length === 0 ? "Declare it under `parameters`." : `There are ${names.join(", ")}.`,
  };
}

function matches(place: string, path: YamlPath, isExact = false): boolean {
  const steps = place.split(".");
  if (path.length < steps.length || (isExact && path.length !== steps.length)) return false;
  return steps.every((step, index) => step === "*" || step === path[index]);
}

function isProgramText({ files = [] }: TemplateFile, [list, index, field]: YamlPath): boolean {
  const mode = list === "files" && field === "content" ? files[Number(index)]?.mode : undefined;
  return mode !== undefined && isExecutable(mode);
}

/** Whether anybody may run a file of this mode. */
export function isExecutable(mode: string): boolean {
  return (Number.parseInt(mode, 8) & 0o111) !== 0;
}

function listTexts(data: unknown, path: YamlPath): { path: YamlPath; text: string }[] {
  if (typeof data === "string") return [{ path, text: data }];
  return listFields(data).flatMap(([step, value]) => listTexts(value, [...path, step]));
}

function listConditions(
  data: unknown,
  path: YamlPath,
): { path: YamlPath; when: Readonly<Record<string, unknown>> }[] {
  const fields = listFields(data);
  const below = fields.flatMap(([step, value]) => listConditions(value, [...path, step]));
  // A variable may be called `when` as well; what a condition stands in is an entry of a list, or a server.
  const isEntry = path.length === 2 && (typeof path[1] === "number" || path[0] === "mcpServers");
  const when = isEntry ? fields.find(([step]) => step === "when")?.[1] : undefined;
  return typeof when === "object" && when !== null
    ? [...below, { path, when: when as Record<string, unknown> }]
    : below;
}

function listFields(data: unknown): [string | number, unknown][] {
  if (Array.isArray(data)) return [...data.entries()];
  return typeof data === "object" && data !== null ? Object.entries(data) : [];
}
