import { toInstanceReport, type InstanceReport } from '../core/instance-report.js';

/**
 * Parses the report of an instance as a storage keeps it.
 *
 * @returns `undefined` where the text is something else: broken reports are left out
 */
export function parseReport(text: string): InstanceReport | undefined {
  try {
    return toInstanceReport(JSON.parse(text));
  } catch {
    return undefined;
  }
}
