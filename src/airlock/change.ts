/** What lies at a path, before or after. */
export interface EntryState {
  kind: "file" | "directory" | "link" | "other";
  /** Permission bits with set-user-id, set-group-id and sticky: 0o0000 to 0o7777. */
  mode: number;
  /** Where a link points, as written in it. */
  target?: string;
  /** A file's content, when it is UTF-8 text that the caller could read whole. */
  text?: string;
}

/** One path that a sandbox changed. Without `before` it is new, without `after` it is gone. */
export interface Change {
  /** Relative to the workspace, `/` between components, none of them empty, `.` or `..`. */
  path: string;
  before?: EntryState;
  after?: EntryState;
}

export type HoldClass =
  | "git"
  | "shell"
  | "editor"
  | "agent"
  | "ci"
  | "build"
  | "package"
  | "link"
  | "mode"
  | "name"
  | "device"
  | "unreadable"
  | "owner"
  | "place"
  | "secret";

/** Why a change is held back until a person approves its path by name. */
export interface Hold {
  class: HoldClass;
  /** One sentence part, such as "git runs it". */
  reason: string;
}

export interface Entry {
  path: string;
  verdict: "plain" | "held";
  /** Empty for a plain one. */
  holds: readonly Hold[];
}

/** What the classifier may know of the workspace besides the changes. */
export interface Surroundings {
  /** Names in a directory of the workspace, "" being the workspace itself. Default: none are known. */
  namesIn?(directory: string): readonly string[];
}

/** A long calculation in small steps. */
export type Steps<T> = Generator<undefined, T, undefined>;
