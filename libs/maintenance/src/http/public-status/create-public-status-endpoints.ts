import type { Subject } from 'rxjs';
import type { MaintenanceStatus } from '../../core/maintenance-status.js';
import type { StateMonitor } from '../../core/state-monitor.js';
import type { ResolvedOptions } from '../../options/resolved-options.js';
import { PageLanguages } from '../../page/page-languages.js';
import type { MaintenancePolicy } from '../../policy/maintenance-policy.js';
import type { Clock } from '../../utils/clock.js';
import type { HttpIntegration } from '../http-integration.js';
import { StreamHub } from '../stream-hub.js';
import { PublicStatusAnswers } from './public-status-answers.js';
import { PublicStatusEndpoints } from './public-status-endpoints.js';

/** The dependencies of {@link createPublicStatusEndpoints}. */
export interface PublicStatusEndpointsDeps {
  /** Below the global prefix. */
  path?: string;
  httpIntegration: HttpIntegration;
  policy: MaintenancePolicy;
  monitor: StateMonitor;
  response: Pick<ResolvedOptions['response'], 'page'>;
  changes: Subject<MaintenanceStatus>;
  clock: Clock;
  shutdown: AbortSignal;
}

/** Creates the endpoints of the public status, which follow the changes of the status. */
export function createPublicStatusEndpoints({
  path = 'maintenance-status',
  httpIntegration,
  policy,
  monitor,
  response,
  changes,
  clock,
  shutdown,
}: PublicStatusEndpointsDeps): PublicStatusEndpoints {
  const answers = new PublicStatusAnswers(monitor, new PageLanguages(response.page?.languages));
  const hub = new StreamHub(httpIntegration, clock, shutdown);
  const endpoints = new PublicStatusEndpoints({ path, httpIntegration, policy, answers, hub });
  changes.subscribe(() => endpoints.broadcast());
  return endpoints;
}
