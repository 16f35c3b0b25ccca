import type { RootCommand } from '@bomb.sh/tab';
import { Argument, type Command } from 'commander';

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
    .addHelpText('after', ['', 'Examples:', ...formatExamples(program.name())].join('\n'))
    .action(async (shell: string) => {
      const completion = await loadCompletion(createCommands());
      completion.setup(program.name(), program.name(), shell);
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

/** Loads the package on use: every command would be slower with it. */
async function loadCompletion(program: Command): Promise<RootCommand> {
  const { default: describeCommands } = await import('@bomb.sh/tab/commander');
  return describeCommands(program, { completionCommandName: 'completion' });
}
