import type { PageTexts } from '../page-texts.js';

export const portuguese: PageTexts = {
  title: 'Em manutenção',
  message: 'O serviço está em manutenção. Tente novamente mais tarde.',
  readOnlyTitle: 'Somente leitura por enquanto',
  readOnlyMessage:
    'O serviço está em modo somente leitura durante a manutenção. A consulta funciona, as alterações precisam esperar.',
  readOnlyNote:
    'Você pode continuar lendo. Por enquanto, apenas alterações são recusadas: o que você acabou de enviar não foi salvo, e o botão Voltar do navegador leva você de volta.',
  expectedEnd: 'Término previsto',
  timeLeft: 'Tempo restante',
  anyMoment: 'a qualquer momento',
  returnsByItself: 'Esta página voltará sozinha quando a manutenção terminar.',
  tryAgain: 'Tentar novamente',
  continueReading: 'Continuar lendo',
  support: 'Falar com o suporte',
  status: 'Status do serviço',
  endChanged: 'O término previsto mudou.',
  opening: 'Abrindo a página.',
  acceptedAgain: 'As alterações já devem ser aceitas novamente.',
  unavailable: 'Serviço indisponível',
};
