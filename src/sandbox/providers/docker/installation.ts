export const INSTALLATION_LABEL = "cattlegrid.installation";
/** Of which sandbox a container is, or beside which. */
export const SANDBOX_LABEL = "cattlegrid.sandbox";
