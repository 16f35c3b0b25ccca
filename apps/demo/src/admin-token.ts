/** Bearer token of the admin endpoints. A real application must not have a default. */
export const ADMIN_TOKEN = process.env.MAINTENANCE_ADMIN_TOKEN || 'demo-token-known-to-all';
