import { createPace } from "../platform/pace.ts";
import type { ApplyOptions } from "./application.ts";
import type { ChangeSource } from "./change-source.ts";
import { commitSteps, isHalfWay } from "./commit.ts";
import { ownerOf, Staging } from "./staging.ts";
import { Tree } from "./tree.ts";

/** Takes an interrupted application to its end, or, when the host has changed meanwhile, back. */
export async function settle(
  source: Pick<ChangeSource, "workspace" | "records">,
  options: ApplyOptions,
): Promise<void> {
  const { records } = source;
  const journal = records.readJournal();
  if (journal === undefined) return;
  const pace = createPace(options.signal);
  const staging = Staging.find(journal.staging);
  if (journal.phase === "committing" && staging !== undefined) {
    const host = new Tree(source.workspace);
    try {
      await commitSteps(
        journal.steps,
        { host, staging, owner: ownerOf(host), pace },
        { resumes: true },
      );
      records.recordCommit();
    } catch (error) {
      if (isHalfWay(error)) throw error;
      records.recordTakenBack();
      await staging.remove(pace);
      records.clear();
      throw error;
    } finally {
      host.close();
    }
  }
  if (journal.phase === "committed") records.recordCommit();
  await staging?.remove(pace);
  records.clear();
}
