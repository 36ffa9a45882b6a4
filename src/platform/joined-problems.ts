import { assert, CattlegridError } from "../errors/error.ts";

/** One problem of a file, as the details of an error hold it. */
export interface FileProblem {
  path?: string;
  line?: number;
  column?: number;
  message: string;
  hint: string;
}

/**
 * All that is wrong with files as one error, which is the first of them; `problems` in its details are all, file by file and
 * in the order of their places. `errors` holds at least one.
 */
export function joinProblems(errors: readonly CattlegridError[]): CattlegridError {
  const files = errors.map(({ details }) => details["path"]);
  const fileOf = ({ details }: CattlegridError): number => files.indexOf(details["path"]);
  const steps = [fileOf, numberAt("line"), numberAt("column")];
  const ordered = errors.toSorted(
    (left, right) => steps.map((step) => step(left) - step(right)).find((by) => by !== 0) ?? 0,
  );
  const [first] = ordered;
  assert(first !== undefined, "there is a problem to tell of");
  if (ordered.length === 1) return first;
  return new CattlegridError(first.code, first.message, {
    hint: first.hint,
    details: { ...first.details, problems: ordered.flatMap(listProblems) },
  });
}

/** The problems that an error stands for: those that were joined in it, or itself. */
export function listProblems(error: CattlegridError): readonly FileProblem[] {
  const { problems, ...place } = error.details;
  if (Array.isArray(problems)) return problems as FileProblem[];
  return [{ ...place, message: error.message, hint: error.hint }];
}

function numberAt(name: string): (error: CattlegridError) => number {
  return ({ details }) => Number(details[name] ?? 0);
}
