import { QuietExit } from "./failure.ts";
import { select } from "./selector.ts";

/**
 * The confirmation an interactive chat wants before --trust-all-tools, unless the setting
 * chat.disableTrustAllConfirmation is on. INVENTED: that the screen exists is on record, its text is not.
 */
export async function confirmTrust(): Promise<void> {
  process.stdout.write(
    "\n[simulated screen, wording invented]\n" +
      "You are about to trust all tools. Kiro will run commands and change files without asking.\n" +
      "Do this only where nothing can be harmed.\n\n",
  );
  const answer = await select({
    prompt: "Trust all tools in this session?",
    rows: ["No, exit", "Yes, I accept"],
    cancelled: "The session was not started",
  });
  if (answer === 0) throw new QuietExit(1);
}
