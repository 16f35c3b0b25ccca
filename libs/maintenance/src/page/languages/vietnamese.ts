import type { PageTexts } from '../page-texts.js';

export const vietnamese: PageTexts = {
  title: 'Đang bảo trì',
  message: 'Dịch vụ đang được bảo trì. Vui lòng thử lại sau.',
  readOnlyTitle: 'Tạm thời chỉ đọc',
  readOnlyMessage: 'Trong thời gian bảo trì, dịch vụ chỉ cho phép đọc. Bạn vẫn xem được, các thay đổi phải chờ.',
  readOnlyNote:
    'Bạn có thể tiếp tục đọc. Hiện chỉ các thay đổi bị từ chối: nội dung bạn vừa gửi chưa được lưu, nút Quay lại của trình duyệt sẽ đưa bạn trở về đó.',
  expectedEnd: 'Dự kiến kết thúc',
  timeLeft: 'Thời gian còn lại',
  anyMoment: 'sắp xong',
  returnsByItself: 'Trang này sẽ tự quay lại khi bảo trì kết thúc.',
  tryAgain: 'Thử lại',
  continueReading: 'Tiếp tục đọc',
  support: 'Liên hệ hỗ trợ',
  status: 'Trạng thái dịch vụ',
  endChanged: 'Thời gian dự kiến kết thúc đã thay đổi.',
  opening: 'Đang mở trang.',
  acceptedAgain: 'Các thay đổi hẳn đã được chấp nhận trở lại.',
  unavailable: 'Dịch vụ không khả dụng',
};
