import { formatOffCommand } from './interruption.js';

describe('formatOffCommand', () => {
  const format = (storage: string): string => formatOffCommand('nestjs-maintenance', { storage });

  it.each([
    'file:/srv/@acme/state.json',
    'module:@acme/storage',
    './@acme/storage.js',
    'redis://cache:6379/0',
    's3://bucket/state.json',
  ])('repeats %s, which holds no credentials', (storage) => {
    expect(format(storage)).toBe(`nestjs-maintenance off --storage ${storage}`);
  });

  it.each(['redis://:secret@cache/0', 'postgres://shop:se?cret@db/shop', 'mysql://shop:secret@db/shop?key=a@b'])(
    'hides the credentials of %s',
    (storage) => {
      expect(format(storage)).toMatch(/\*\*\*@/);
      expect(format(storage)).not.toContain('cret');
    },
  );
});
