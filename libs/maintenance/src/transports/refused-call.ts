export { CODE, refusedCall, type RefusedCall } from '../http/refused-call.js';
