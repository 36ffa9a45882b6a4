import { expect, test } from "vitest";
import type { SessionStatus } from "../protocol/session.ts";
import { isOver, nextSessionStatus, type SessionHappening } from "./status.ts";

const STATUSES: SessionStatus[] = ["starting", "signing-in", "running", "ended", "lost"];
const HAPPENINGS: SessionHappening[] = ["sign-in-needed", "ready", "ended", "lost"];

const TABLE: Record<SessionStatus, (SessionStatus | undefined)[]> = {
  starting: ["signing-in", "running", "ended", "lost"],
  "signing-in": [undefined, "running", "ended", "lost"],
  running: [undefined, undefined, "ended", "lost"],
  ended: [undefined, undefined, undefined, undefined],
  lost: [undefined, undefined, undefined, undefined],
};

test.each(STATUSES)("a session that is %s goes where the table says and nowhere else", (status) => {
  expect(HAPPENINGS.map((each) => nextSessionStatus(status, each))).toEqual(TABLE[status]);
});

test("a session that is over has no way on", () => {
  expect(STATUSES.filter(isOver)).toEqual(["ended", "lost"]);
});
