import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { CattlegridError } from "../../../errors/error.ts";
import type { SandboxSpecification } from "../../provider.ts";
import { rangeRemedy } from "./subordinate-ids.ts";

/** Whether root can be inside, where an ordinary user runs the sandbox: one of the user's subordinate ids. Throws BASE_UNSUITABLE. */
export function requireIds(
  ownRange: number | undefined,
  { base, isolation }: SandboxSpecification,
): void {
  const { username, uid } = userInfo();
  if (ownRange === undefined) {
    const message = `Somebody has to be root inside, and the account ${username} has no subordinate ids for that.`;
    throw new CattlegridError("BASE_UNSUITABLE", message, { hint: rangeRemedy() });
  }
  if (isolation === "gvisor") {
    const message = "Nobody can be root under gVisor where an ordinary user runs it.";
    throw new CattlegridError("BASE_UNSUITABLE", message, {
      hint: "Leave out `isolation`, use a base that has the packages already, or run Cattlegrid as root.",
    });
  }
  const { directory } = base ?? {};
  if (directory === undefined || statSync(directory).uid === uid) return;
  const message = `The base ${directory} is not yours, so that nobody could be root in it.`;
  throw new CattlegridError("BASE_UNSUITABLE", message, {
    hint: `Make it an archive, which is unpacked for your ids: \`sudo tar -C ${directory} -cf FILE .\`, and name that as \`tar\`.`,
  });
}
