import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as Handlebars from 'handlebars';
import { MaintenanceOptionsError } from '../errors/maintenance-options.error.js';
import { createContentSecurityPolicy, renderBuiltInPage } from './built-in-page.js';
import { createBranding, type BrandingOptions, type PageBranding } from './page-branding.js';
import { createPageContext, type PageContext, type PageRefusal } from './page-context.js';
import { PageLanguages, type CustomLanguages, type PageLanguage } from './page-languages.js';

/** The options of the page. */
export interface PageRendererOptions {
  /** The path of a Handlebars template, relative to the working directory. */
  template?: string;
  page?: BrandingOptions & { languages?: CustomLanguages };
}

type Template = Handlebars.TemplateDelegate;

/** Renders the maintenance page: the built-in one, or the template of the application. */
export class PageRenderer {
  /** The policy of the built-in page. A page of the application's own has the policy of the application. */
  readonly contentSecurityPolicy: string;

  private constructor(
    readonly languages: PageLanguages,
    private readonly branding: PageBranding,
    private readonly template: Template | null,
  ) {
    this.contentSecurityPolicy = createContentSecurityPolicy(branding);
  }

  /**
   * Reads the logo and the template of the application.
   *
   * @throws {@link MaintenanceOptionsError} if the logo or the template can't be read or used
   */
  static async create({ template, page = {} }: PageRendererOptions): Promise<PageRenderer> {
    const languages = new PageLanguages(page.languages);
    const branding = createBranding(page);
    if (template === undefined) return new PageRenderer(languages, branding, null);
    const file = resolve(template);
    try {
      const compiled = await compileTemplate(readFileSync(file, 'utf8'));
      const renderer = new PageRenderer(languages, branding, compiled);
      // A missing helper or partial fails only when the template is rendered, which must not happen during
      // maintenance first.
      const language = languages.getFallback();
      renderer.renderTemplate(renderer.createContext(createEmptyRefusal(language), language, 0));
      return renderer;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new MaintenanceOptionsError(
        `the option \`response.template\` (environment: MAINTENANCE_TEMPLATE) can't be used: ${file}: ${reason}`,
        { cause: error },
      );
    }
  }

  /** Whether the application has a template, which can use the members that it adds to the context. */
  get hasTemplate(): boolean {
    return this.template !== null;
  }

  /**
   * Creates the context of the page.
   *
   * @param refusal - the refusal
   * @param language - the language of the page
   * @param now - milliseconds since the epoch
   */
  createContext(refusal: PageRefusal, language: PageLanguage, now: number): PageContext {
    return createPageContext(refusal, language, this.branding, now);
  }

  /** Renders the built-in page. */
  renderBuiltIn(context: PageContext): string {
    return renderBuiltInPage(context);
  }

  /**
   * Renders the template of the application.
   *
   * @throws the errors of helpers and getters throw
   */
  renderTemplate(context: PageContext): string {
    return this.template!(context);
  }
}

/** Creates a refusal without a window, for a page that is made before there is one. */
export function createEmptyRefusal({ texts }: PageLanguage): PageRefusal {
  return {
    message: texts.message,
    mode: 'full',
    scope: '*',
    startsAt: null,
    endsAt: null,
    retryAfter: null,
    statusCode: 503,
  };
}

async function compileTemplate(source: string): Promise<Template> {
  // Loaded on use: Handlebars takes longer to load than the whole module.
  const { default: handlebars } = await import('handlebars');
  const own = handlebars.create();
  // Handlebars compiles at the first rendering, but a template that can't be parsed has to fail at boot.
  own.parse(source);
  return own.compile(source);
}
