import { z } from "zod";

/** What lies at a path: before on the host, after in the sandbox. */
export const changeStateSchema = z
  .object({
    kind: z.enum(["file", "directory", "link", "other"]),
    /** Permission bits. */
    mode: z.int(),
    size: z.int(),
    /** Of a link. */
    target: z.string().exactOptional(),
  })
  .meta({ id: "ChangeState" });

/** Why a change is held back until it is approved by name. */
export const holdSchema = z
  .object({ class: z.string(), reason: z.string() })
  .meta({ id: "ChangeHold" });

export const hunkSchema = z
  .object({
    oldStart: z.int(),
    oldLines: z.int(),
    newStart: z.int(),
    newLines: z.int(),
    /** Each with ` `, `-`, `+` or `\` in front. */
    lines: z.array(z.string()).readonly(),
  })
  .meta({ id: "ChangeHunk" });

/** A place at which both sides changed the same lines, each into something else. */
export const clashSchema = z
  .object({
    /** Where it begins, from 1, in the text in which every clash is left as the host has it. */
    line: z.int(),
    host: z.array(z.string()).readonly(),
    /** What both began from. */
    base: z.array(z.string()).readonly(),
    sandbox: z.array(z.string()).readonly(),
  })
  .meta({ id: "ChangeClash" });
export type Clash = z.infer<typeof clashSchema>;

export const changeKindSchema = z.enum(["added", "modified", "deleted"]);

export const changeSchema = z
  .object({
    /** Relative to the workspace. */
    path: z.string(),
    kind: changeKindSchema,
    before: changeStateSchema.exactOptional(),
    after: changeStateSchema.exactOptional(),
    /** Empty for one that comes out as it is. */
    holds: z.array(holdSchema).readonly(),
    /** Why applying it would overwrite what the host did meanwhile. */
    conflict: z.string().exactOptional(),
    /** Of a conflict between texts, when hunks are asked for: what does not fit together; everything else does. */
    clashes: z.array(clashSchema).readonly().exactOptional(),
    /** Both sides changed the text, and what is shown and applied holds the changes of both. */
    merged: z.literal(true).exactOptional(),
    /** Stands for what was seen; wanted when single hunks are applied. */
    fingerprint: z.string(),
    /** Of texts. */
    lines: z.object({ added: z.int(), removed: z.int() }).exactOptional(),
    /** Of texts, when they were asked for. */
    hunks: z.array(hunkSchema).readonly().exactOptional(),
  })
  .meta({ id: "Change" });
export type Change = z.infer<typeof changeSchema>;

export const changeListSchema = z
  .object({
    changes: z.array(changeSchema).readonly(),
    /** Hunks of later files were left out, as the answer would be too large; ask for their paths. */
    isCut: z.boolean(),
    /** The sandbox ended before all that was changed in it could be brought out: what is shown is older. */
    isOlder: z.literal(true).exactOptional(),
  })
  .meta({ id: "ChangeList" });
export type ChangeList = z.infer<typeof changeListSchema>;

/** `POST /v1/sandboxes/{id}/changes/apply`. */
export const changeApplySchema = z
  .strictObject({
    /** Files, and directories with all below. Default: everything. */
    paths: z.array(z.string()).optional(),
    /** Held changes that are let through, each by its own name. The sandbox must be stopped. */
    approve: z.array(z.string()).optional(),
    /** Changes that may replace what the host did meanwhile, each by its own name. */
    overwrite: z.array(z.string()).optional(),
    /** Changes that are not to come, now or later: the host's version stays. Each by its own name. */
    keep: z.array(z.string()).optional(),
    /** Conflicts between texts that are to come with both versions between marks, each by its own name. */
    mark: z.array(z.string()).optional(),
    /** Single hunks, counted from 0, of files that are to be applied only in part. */
    hunks: z
      .array(
        z.strictObject({
          path: z.string(),
          fingerprint: z.string(),
          hunks: z.array(z.int().min(0)),
        }),
      )
      .optional(),
  })
  .meta({ id: "ChangeApply" });
export type ChangeApply = z.infer<typeof changeApplySchema>;

export const changesAppliedSchema = z
  .object({
    applied: z
      .array(
        z.object({
          path: z.string(),
          kind: changeKindSchema,
          /** The host has the changes of both sides now; or, of a conflict, both versions between marks. */
          merged: z.enum(["clean", "marked"]).exactOptional(),
        }),
      )
      .readonly(),
    held: z.array(z.object({ path: z.string(), holds: z.array(holdSchema).readonly() })).readonly(),
    /** Where the host's version stays, as was wished. */
    kept: z.array(z.string()).readonly().exactOptional(),
  })
  .meta({ id: "ChangesApplied" });
export type ChangesApplied = z.infer<typeof changesAppliedSchema>;

/** `DELETE /v1/sandboxes/{id}`. */
export const removalQuerySchema = z
  .strictObject({
    /** `1`: refused when the sandbox has changes that were not applied. */
    careful: z.enum(["0", "1"]).optional(),
  })
  .meta({ id: "RemovalQuery" });
