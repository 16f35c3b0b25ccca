import { Logger } from '@nestjs/common';
import { PageRenderer } from '../page/page-renderer.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { SystemClock } from '../utils/clock.js';
import type { HttpRequest } from './http-request.interface.js';
import { Responder } from './responder.js';

describe('Responder', () => {
  it('does not keep the page in English for a language that could not be loaded once', async () => {
    const log = jest.spyOn(Logger.prototype, 'error').mockImplementation();
    const pages = await PageRenderer.create({});
    jest.spyOn(pages.languages, 'load').mockRejectedValueOnce(new Error('ENOENT'));
    const options = { statusCode: 503, type: 'html' } as ResolvedOptions['response'];
    const responder = new Responder(options, pages, new SystemClock());
    const refusal = { window: null, retryAfter: null };
    const request = { headers: { 'accept-language': 'de' } } as unknown as HttpRequest;
    const ask = async () => (await responder.createAnswer(refusal, request, false)).headers;
    expect(await ask()).toMatchObject({ 'Content-Language': 'en' });
    expect(String(log.mock.calls[0]?.[0])).toMatch(/could not be loaded for de, so it is in en: ENOENT/);
    expect(await ask()).toMatchObject({ 'Content-Language': 'de' });
  });
});
