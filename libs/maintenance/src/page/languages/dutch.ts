import type { PageTexts } from '../page-texts.js';

export const dutch: PageTexts = {
  title: 'In onderhoud',
  message: 'De dienst is in onderhoud. Probeer het later opnieuw.',
  readOnlyTitle: 'Tijdelijk alleen-lezen',
  readOnlyMessage: 'De dienst is tijdens het onderhoud alleen-lezen. Lezen kan, wijzigingen moeten wachten.',
  readOnlyNote:
    'U kunt blijven lezen. Alleen wijzigingen worden voorlopig geweigerd: wat u zojuist hebt verzonden, is niet opgeslagen. Met de knop Terug van uw browser keert u ernaar terug.',
  expectedEnd: 'Verwacht einde',
  timeLeft: 'Resterende tijd',
  anyMoment: 'elk moment',
  returnsByItself: 'Deze pagina komt vanzelf terug zodra het onderhoud klaar is.',
  tryAgain: 'Opnieuw proberen',
  continueReading: 'Verder lezen',
  support: 'Contact met support',
  status: 'Status van de dienst',
  endChanged: 'Het verwachte einde is gewijzigd.',
  opening: 'De pagina wordt geopend.',
  acceptedAgain: 'Wijzigingen zouden nu weer mogelijk moeten zijn.',
  unavailable: 'Dienst niet beschikbaar',
};
