import { loginImportSchema, loginProfileListSchema, loginProfileSchema } from "../login.ts";
import { declareRoutes } from "../route.ts";

export const LOGIN_ROUTES = declareRoutes({
  listLogins: {
    method: "GET",
    path: "/v1/logins",
    summary: "Lists the caller's login profiles.",
    since: 1,
    answer: loginProfileListSchema,
  },
  importLogin: {
    method: "PUT",
    path: "/v1/logins/{agent}/{profile}",
    summary:
      "Keeps the sign-in of a bundle as a login profile, once the agent has said whose it is.",
    since: 1,
    body: loginImportSchema,
    answer: loginProfileSchema,
  },
  exportLogin: {
    method: "GET",
    path: "/v1/logins/{agent}/{profile}/bundle",
    summary:
      "Reads a login profile as a bundle. It is the sign-in itself: whoever has it, is signed in.",
    since: 1,
    download: "application/zstd",
  },
  removeLogin: {
    method: "DELETE",
    path: "/v1/logins/{agent}/{profile}",
    summary: "Forgets a login profile, and takes its copies out of running sandboxes.",
    since: 1,
    status: 204,
  },
});
