import type { PageTexts } from '../page-texts.js';

export const turkish: PageTexts = {
  title: 'Bakım çalışması',
  message: 'Hizmet şu anda bakımda. Lütfen daha sonra tekrar deneyin.',
  readOnlyTitle: 'Şimdilik salt okunur',
  readOnlyMessage: 'Hizmet bakım sırasında salt okunurdur. Okuma çalışır, değişiklikler beklemelidir.',
  readOnlyNote:
    'Okumaya devam edebilirsiniz. Şimdilik yalnızca değişiklikler kabul edilmiyor: az önce gönderdiğiniz kaydedilmedi, tarayıcınızın Geri düğmesi sizi ona geri götürür.',
  expectedEnd: 'Beklenen bitiş',
  timeLeft: 'Kalan süre',
  anyMoment: 'her an',
  returnsByItself: 'Bakım bitince bu sayfa kendiliğinden geri gelir.',
  tryAgain: 'Tekrar dene',
  continueReading: 'Okumaya devam et',
  support: 'Destekle iletişime geç',
  status: 'Hizmet durumu',
  endChanged: 'Beklenen bitiş değişti.',
  opening: 'Sayfa açılıyor.',
  acceptedAgain: 'Değişikliklerin artık yeniden kabul ediliyor olması gerekir.',
  unavailable: 'Hizmet kullanılamıyor',
};
