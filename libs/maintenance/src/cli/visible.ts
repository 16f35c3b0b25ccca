export {
  escapeControlCharacters as visible,
  toVisibleJson as visibleJson,
} from '../state/escape-control-characters.js';
