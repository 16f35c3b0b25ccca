import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as Handlebars from 'handlebars';
import { MaintenanceOptionsError } from '../../errors/maintenance-options.error.js';
import { createProblem, type Problem } from '../problem.js';
import { DEFAULT_PAGE, DEFAULT_PAGE_CSP } from './default-page.js';
import { getPageTimes } from './page-times.js';

/** A rendered page, with the policy that its own style and script need. */
export interface Page {
  html: string;
  /** `Content-Security-Policy`; none for a template of the application's own, which has the application's policy. */
  contentSecurityPolicy?: string;
}

type Template = Handlebars.TemplateDelegate;

/** Renders the maintenance page: the built-in one, or that of the application. */
export class PageRenderer {
  /** Whether the template is that of the application, the only one that can use custom members. */
  readonly isCustom: boolean;
  #template: Promise<Template> | null;

  private constructor(
    template: Template | null,
    private readonly contentSecurityPolicy: string | undefined,
  ) {
    this.isCustom = template !== null;
    this.#template = template && Promise.resolve(template);
  }

  /**
   * Reads and compiles the application's template. The built-in one is compiled when it is first rendered.
   *
   * @param path - of a Handlebars template, relative to the working directory
   * @throws {@link MaintenanceOptionsError} if the template can't be read or is not Handlebars
   */
  static async create(path: string | undefined): Promise<PageRenderer> {
    if (path === undefined) return new PageRenderer(null, DEFAULT_PAGE_CSP);
    const file = resolve(path);
    try {
      const template = await compileTemplate(readFileSync(file, 'utf8'));
      // A missing helper or partial fails only when the template is rendered, which must not happen during
      // maintenance first.
      template(createContext(createProblem({ window: null, retryAfter: null }, 503), 0));
      return new PageRenderer(template, undefined);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new MaintenanceOptionsError(
        `the option \`response.template\` (environment: MAINTENANCE_TEMPLATE) can't be used: ${file}: ${reason}`,
        {
          cause: error,
        },
      );
    }
  }

  /**
   * Renders the page.
   *
   * @param problem - the refusal as a problem document
   * @param custom - members of the application's own
   * @param now - milliseconds since the epoch
   */
  async render(problem: Problem, custom: object, now: number): Promise<Page> {
    this.#template ??= compileTemplate(DEFAULT_PAGE);
    const template = await this.#template;
    return {
      html: template({ ...custom, ...createContext(problem, now) }),
      contentSecurityPolicy: this.contentSecurityPolicy,
    };
  }
}

async function compileTemplate(source: string): Promise<Template> {
  // Loaded on use: Handlebars takes longer to load than the whole module.
  const { default: handlebars } = await import('handlebars');
  const own = handlebars.create();
  // Handlebars compiles at the first rendering, but a template that can't be parsed has to fail at boot.
  own.parse(source);
  return own.compile(source);
}

function createContext(problem: Problem, now: number): object {
  const readOnly = problem.mode === 'read-only';
  return {
    ...problem,
    title: readOnly ? 'Read-only for now' : 'Down for maintenance',
    readOnly,
    ...getPageTimes(problem, now),
  };
}
