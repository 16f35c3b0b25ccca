// A page of another origin than its API, as a bundler builds it.
import axios from 'axios';
import { maintenanceOf, watchMaintenance, type MaintenanceRefusal, type PublicStatus } from 'nestjs-maintenance/client';

/** The members that the test reads. */
export interface ClientPage {
  /** The statuses that the listener got. */
  statuses: PublicStatus[];
  stop: () => void;
  orderByFetch: () => Promise<{ status: number; maintenance: MaintenanceRefusal | null }>;
  orderByAxios: () => Promise<{ status: number; maintenance: MaintenanceRefusal | null }>;
}

const api = new URLSearchParams(location.search).get('api')!;
const banner = document.querySelector('#banner')!;

const client: ClientPage = {
  statuses: [],
  stop: watchMaintenance(`${api}/maintenance-status`, (status) => {
    client.statuses.push(status);
    const [next] = status.planned;
    banner.textContent = status.active ? `Now: ${status.message}` : next ? `Soon: ${next.message}` : 'Open';
  }),
  orderByFetch: async () => {
    const response = await fetch(`${api}/orders`);
    return { status: response.status, maintenance: maintenanceOf(response) };
  },
  orderByAxios: async () => {
    try {
      const response = await axios.get(`${api}/orders`);
      return { status: response.status, maintenance: maintenanceOf(response) };
    } catch (error) {
      return {
        status: axios.isAxiosError(error) ? (error.response?.status ?? 0) : 0,
        maintenance: maintenanceOf(error),
      };
    }
  },
};
Object.assign(globalThis, { client });
