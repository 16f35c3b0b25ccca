import { maintenanceOf, watchMaintenance, type PublicStatus } from 'nestjs-maintenance/client';

/** Over how long the return of all clients is spread, in milliseconds. Choose more if you have more clients. */
const SPREAD_MS = 3_000;

let status: PublicStatus | undefined;
let waiting: (() => void)[] = [];

/** Calls the listener with the status of maintenance, now and at each change. */
export function followMaintenance(listener: (status: PublicStatus) => void): void {
  watchMaintenance('/api/maintenance-status', (changed) => {
    status = changed;
    listener(changed);
    if (changed.active) return;
    const resumed = waiting;
    waiting = [];
    setTimeout(() => resumed.forEach((resume) => resume()), Math.random() * SPREAD_MS);
  });
}

/**
 * Does what `fetch` does, and repeats a request that was refused once maintenance is over. A refused request has not
 * reached its handler, so it is safe to repeat a POST.
 */
export async function fetchFromApi(path: string, options: RequestInit, onWait: () => void): Promise<Response> {
  for (;;) {
    const response = await fetch(`/api${path}`, options);
    if (!maintenanceOf(response)) return response;
    onWait();
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      // The refusal may arrive before the status does, or after maintenance is over.
      if (!status?.active) setTimeout(resolve, 1_000 + Math.random() * SPREAD_MS);
    });
  }
}
