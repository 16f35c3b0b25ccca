import type { RootCommand } from '@bomb.sh/tab';
import { Argument, type Command } from 'commander';
import type { StorageOptions } from './command-description.js';
import { print } from './output.js';

/** The command that the script of a shell runs. It is hidden. */
const REQUEST_COMMAND = 'complete';

/**
 * Adds the command `completion`, which prints a script with which a shell completes the commands of `program`.
 *
 * @param createCommands - creates the program whose commands are completed
 */
export function addCompletion(program: Command, createCommands: () => Command): void {
  program
    .command('completion')
    .description('print a script that completes commands in a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .option('--storage <url>', 'accepted as by every command; the script needs none')
    .option('--json', 'print one JSON document')
    .addHelpText('after', ['', 'Examples:', ...formatExamples(program.name())].join('\n'))
    .action(async (shell: string, { json }: StorageOptions) => {
      const script = createScript(await loadCompletion(createCommands()), program.name(), shell);
      await print(process.stdout, json ? `${JSON.stringify({ shell, script }, null, 2)}\n` : script);
    });
  program
    .command(REQUEST_COMMAND, { hidden: true })
    .argument('[arguments...]')
    .action(async (args: string[]) => {
      const completion = await loadCompletion(createCommands());
      completion.parse(args);
    });
}

function formatExamples(name: string): string[] {
  return [
    `  source <(${name} completion bash)       # with the package bash-completion`,
    `  source <(${name} completion zsh)        # after compinit`,
    `  ${name} completion fish | source`,
  ];
}

/** Returns the script, which the package prints by itself. */
function createScript(completion: RootCommand, name: string, shell: string): string {
  const lines: string[] = [];
  /* eslint-disable no-console -- the package prints with it */
  const { log } = console;
  console.log = (line: string) => void lines.push(`${line}\n`);
  try {
    completion.setup(name, name, shell);
  } finally {
    console.log = log;
  }
  /* eslint-enable no-console */
  return lines.join('');
}

/** Loads the package on use: every command would be slower with it. */
async function loadCompletion(program: Command): Promise<RootCommand> {
  const { default: describeCommands } = await import('@bomb.sh/tab/commander');
  return describeCommands(program, { completionCommandName: 'completion' });
}
