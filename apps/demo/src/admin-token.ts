/** The bearer token of the admin endpoints. Never do this at home: a real application has no default. */
export const ADMIN_TOKEN = process.env.MAINTENANCE_ADMIN_TOKEN || 'demo-token-known-to-all';
