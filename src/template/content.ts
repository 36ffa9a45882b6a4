import type { TemplateFile } from "../protocol/template-file.ts";

type Entry<Name extends "setup" | "files" | "steering"> = NonNullable<TemplateFile[Name]>[number];

export type SetupStep = Omit<Entry<"setup">, "inputs"> & {
  /** Digests of the contents of its inputs, by path. */
  inputs?: Readonly<Record<string, string>>;
};
export type PlacedFile = Omit<Entry<"files">, "content" | "from"> & { content: string };
export type SteeringFile = Omit<Entry<"steering">, "content" | "from"> & { content: string };
/** A policy file's text, and where it lies. */
export interface Ceiling {
  path: string;
  text: string;
}

/**
 * What template files say, with the texts of the files that they name taken in, so that nothing of it depends on
 * where they lie or what becomes of them. Plain data.
 */
export type TemplateContent = Omit<
  TemplateFile,
  "version" | "extends" | "setup" | "files" | "steering" | "policy"
> & {
  setup?: readonly SetupStep[];
  files?: readonly PlacedFile[];
  steering?: readonly SteeringFile[];
  policy?: Omit<NonNullable<TemplateFile["policy"]>, "ceiling"> & { ceilings?: readonly Ceiling[] };
};

/** A template with its parents merged in, before any parameter has a value. */
export interface LoadedTemplate {
  name: string;
  origin: "organisation" | "user" | "shipped" | "project";
  /** Of its file, and of each parent's after it. */
  paths: readonly string[];
  /** Of the whole content: `sha256:` and 64 hex digits. */
  digest: string;
  content: TemplateContent;
  /** The files as they are written, for whoever looks at them. */
  texts: readonly { path: string; text: string }[];
}

/** What is kept of it with a sandbox. */
export type KeptTemplate = Omit<LoadedTemplate, "texts">;
