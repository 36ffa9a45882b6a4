/** The servers outside that HTTP is spoken with, and what is said to them. */
import { tcp, tls, type Attempt } from "./attempt.ts";
import { request } from "./wire.ts";

export const WEB = "web.example";
/** Its connections are inspected. */
export const API = "api.example";
export const web = (send: Attempt["send"]): Attempt => tcp(WEB, 80, send);
export const api = (send: Attempt["send"]): Attempt => tls(API, send);
export const h2 = (send: Attempt["send"]): Attempt => tls(API, send, { alpn: "h2" });
export const get = (path: string, ...fields: string[]) => request(API, path, { fields });
export const field = (...fields: string[]) => request(WEB, "/", { fields });
