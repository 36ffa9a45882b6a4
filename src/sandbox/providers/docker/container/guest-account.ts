/** Whom programs inside run as, and whose files they own on the host: Docker has no ids of its own. */
export interface GuestAccount {
  uid: number;
  gid: number;
}

/** Under this number images have their user, and the agent of every sandbox its own. */
const AGENT_ID = 1000;

/**
 * SECURITY: never the host's root. For an ordinary user it is that user, to whom the workspace belongs; for root it is
 * 1000, to whom the workspace is mapped, and who may be somebody on this machine.
 */
export function guestAccount(): GuestAccount {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  return uid === 0 ? { uid: AGENT_ID, gid: AGENT_ID } : { uid, gid };
}
