/** TypeScript reads the braces of `@throws {@link Name}` as a type and resolves no link in them, so this looks up the name. */
export function load(app) {
  app.converter.addUnknownSymbolResolver((reference, from) => {
    const name = reference.symbolReference?.path?.at(-1)?.path;
    const target = from.project.children?.map((module) => module.getChildByName(name ?? '')).find(Boolean);
    return target && { target };
  });
}
