import { useEffect, useState } from 'preact/hooks';

/** The parts of the address behind `#`, so that a reload and the back button keep the screen. */
export function useRoute(): string[] {
  const [route, setRoute] = useState(readRoute());
  useEffect(() => {
    const listener = (): void => setRoute(readRoute());
    addEventListener('hashchange', listener);
    return () => removeEventListener('hashchange', listener);
  }, []);
  return route;
}

export function navigate(route: string): void {
  location.hash = route;
}

function readRoute(): string[] {
  const parts = location.hash.slice(1).split('/').map(decode).filter(Boolean);
  return parts.length > 0 ? parts : ['now'];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
